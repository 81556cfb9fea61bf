"""What arrays of samples and of their classes are usually called in files and dicts."""

IMAGE_KEYS = ("images", "samples", "fakes", "data", "x", "arr_0")
LABEL_KEYS = ("labels", "targets", "classes", "y", "arr_1")
