"""Tables of recordings as corpora: one row per recording, with its emotion and speaker."""
