"""Images or points in a file of `torch.save`: a tensor, or a dict of `images` and `labels`."""

from __future__ import annotations

from gandiag.core.errors import shown
from gandiag.core.protocols import Source
from gandiag.sources.arrays import TensorTable, numbers, table_source
from gandiag.sources.choice import choose
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.sample_names import IMAGE_KEYS, LABEL_KEYS
from gandiag.sources.saved import holds_samples, load_saved, sample_tensors


def _open(file: File, options: SourceOptions) -> Source:
    tensors = sample_tensors(load_saved(file))
    key = choose(file, list(tensors), preferred=IMAGE_KEYS, others=LABEL_KEYS)
    classes = next((tensors[name] for name in LABEL_KEYS if name in tensors and name != key), None)
    values = numbers(tensors[key], shown(file.title))
    return table_source(TensorTable(values), file.title, path=file.origin, in_order=options.by_name, classes=classes)


READER = Reader("a file of tensors", holds_samples, _open, keyed=True)
