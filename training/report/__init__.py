"""Results as text, figures, Markdown and model cards."""
