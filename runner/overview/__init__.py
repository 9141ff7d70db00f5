"""How pipelines stand at one time: figures of all of them."""
