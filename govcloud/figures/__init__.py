"""Facts and a definition in, figures out: the on-cloud rate and its companions; pure."""
