"""An interpreter for pickles that builds plain placeholders and never an object."""
