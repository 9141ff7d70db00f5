"""What can be seen of a model's text that would make its windows unfit for replay."""
