"""Many pipelines at once: what they are at one time, and figures of them."""
