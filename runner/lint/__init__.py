"""Find in a model's text what would make its windows unfit for replay."""
