"""What can differ between two stores: fields, table columns and the values of their arrays."""
