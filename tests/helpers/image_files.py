"""The same images in every form in which they can be scored."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

Images = npt.NDArray[np.uint8]  # (n, H, W), grey
CLASSES = 10


def classes_of(images: Images) -> npt.NDArray[np.int64]:
    return np.arange(len(images)) % CLASSES


def png_bytes(image: Images) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def named(images: Images) -> Iterator[tuple[str, bytes]]:
    for index, image in enumerate(images):
        yield f"{index:06d}.png", png_bytes(image)


def folder(root: Path, images: Images) -> Path:
    (root / "png").mkdir(parents=True)
    for name, content in named(images):
        (root / "png" / name).write_bytes(content)
    return root / "png"


def zip_of(root: Path, images: Images) -> Path:
    with zipfile.ZipFile(root / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in named(images):
            archive.writestr(name, content)
    return root / "a.zip"


def stored_zip(root: Path, images: Images) -> Path:
    with zipfile.ZipFile(root / "stored.zip", "w") as archive:
        for name, content in reversed(list(named(images))):
            archive.writestr(f"deep/er/{name}", content)
    return root / "stored.zip"


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def tar_of(root: Path, images: Images, suffix: str = "") -> Path:
    path = root / f"a.tar{'.' + suffix if suffix else ''}"
    with tarfile.open(path, f"w:{suffix}") as archive:
        for name, content in named(images):
            add(archive, f"./{name}", content)
    return path


def shards(root: Path, images: Images) -> str:
    classes = classes_of(images)
    for part, rows in enumerate(np.array_split(np.arange(len(images)), 3)):
        with tarfile.open(root / f"shard-{part:03d}.tar", "w") as archive:
            for row in rows:
                add(archive, f"{row:06d}.png", png_bytes(images[row]))
                add(archive, f"{row:06d}.cls", str(classes[row]).encode())
    return str(root / "shard-{000..002}.tar")


def npy(root: Path, images: Images) -> Path:
    np.save(root / "a.npy", images[:, None])
    return root / "a.npy"


def floats(root: Path, images: Images) -> Path:
    np.save(root / "floats.npy", np.asfortranarray((images[:, None] / 255).astype(np.float32)))
    return root / "floats.npy"


def adm(root: Path, images: Images) -> Path:
    np.savez(root / "adm.npz", arr_0=images[..., None], arr_1=classes_of(images))
    return root / "adm.npz"


def compressed_npz(root: Path, images: Images) -> str:
    np.savez_compressed(root / "two.npz", first=np.zeros((4, 2)), second=images[:, None])
    return f"{root / 'two.npz'}:second"


def pt(root: Path, images: Images) -> Path:
    torch.save(torch.from_numpy(images[:, None]), root / "a.pt")
    return root / "a.pt"


def pt_of(root: Path, content: object) -> Path:
    torch.save(content, root / "samples.pt")
    return root / "samples.pt"


def pt_with_labels(root: Path, images: Images) -> Path:
    content = {"images": torch.from_numpy(images[:, None]), "labels": torch.from_numpy(classes_of(images))}
    torch.save(content, root / "b.pt")
    return root / "b.pt"


def safetensors(root: Path, images: Images) -> Path:
    from safetensors.torch import save_file

    save_file({"samples": torch.from_numpy(images[:, None])}, root / "a.safetensors")
    return root / "a.safetensors"


def hdf5(root: Path, images: Images) -> Path:
    import h5py

    with h5py.File(root / "a.h5", "w") as file:
        file.create_dataset("images", data=images[:, None], chunks=(16, 1, *images.shape[1:]), compression="gzip")
        file["labels"] = classes_of(images)
    return root / "a.h5"


def hdf5_key(root: Path, images: Images) -> str:
    import h5py

    with h5py.File(root / "b.h5", "w") as file:
        file["real"], file["deep/fake"] = images[:, None], images[..., None]
    return f"{root / 'b.h5'}:deep/fake"


def parquet(root: Path, images: Images) -> Path:
    import pyarrow
    import pyarrow.parquet

    rows = [{"bytes": content, "path": name} for name, content in named(images)]
    table = pyarrow.table({"image": rows, "label": classes_of(images)})
    pyarrow.parquet.write_table(table, root / "a.parquet")
    return root / "a.parquet"


def animation(root: Path, images: Images, suffix: str) -> Path:
    first, *others = [Image.fromarray(image) for image in images]
    first.save(root / f"a.{suffix}", save_all=True, append_images=others)
    return root / f"a.{suffix}"


FORMS: dict[str, Callable[[Path, Images], Path | str]] = {
    "folder": folder,
    "zip": zip_of,
    "stored zip": stored_zip,
    "tar": tar_of,
    "tar.gz": lambda root, images: tar_of(root, images, "gz"),
    "tar.bz2": lambda root, images: tar_of(root, images, "bz2"),
    "tar.xz": lambda root, images: tar_of(root, images, "xz"),
    "webdataset": shards,
    "npy": npy,
    "floats": floats,
    "adm": adm,
    "npz key": compressed_npz,
    "pt": pt,
    "pt with labels": pt_with_labels,
    "pt of images": lambda root, images: pt_of(root, [image[None] for image in torch.from_numpy(images)]),
    "pt of batches": lambda root, images: pt_of(root, torch.from_numpy(images)[:, None].split(7)),
    "pt of greys": lambda root, images: pt_of(root, torch.from_numpy(images)),
    "safetensors": safetensors,
    "hdf5": hdf5,
    "hdf5 key": hdf5_key,
    "parquet": parquet,
    "gif": lambda root, images: animation(root, images, "gif"),
    "tiff": lambda root, images: animation(root, images, "tiff"),
    "apng": lambda root, images: animation(root, images, "png"),
}
