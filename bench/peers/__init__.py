"""The peers: projects of their own, each written as its users would."""
