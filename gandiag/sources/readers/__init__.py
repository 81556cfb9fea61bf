"""One module for each kind of file or folder that can be scored; `READER` in it is the kind."""
