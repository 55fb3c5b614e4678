"""What a file is that was taken for weights, by its first bytes, and what to do with it."""

from pathlib import Path

OLD_TORCH = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the number that PyTorch before 1.6 wrote first
KINDS = {
    b"\x89HDF\r\n": "an HDF5 file, as Keras writes",
    b"\x93NUMPY": "a NumPy array",
    b"GGUF": "a GGUF file",
    b"\x1f\x8b": "a gzip file: unpack it first",
    b"BZh": "a bzip2 file: unpack it first",
    b"\xfd7zXZ": "an xz file: unpack it first",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"<": "a page of HTML or XML, perhaps what a failed download left",
    b"version https://git-lfs": "a pointer of Git LFS, not the weights: fetch them with git lfs pull",
    b"\x08": "perhaps an ONNX model",
}
WANTED = "what was looked for is a checkpoint of the official I-JEPA code, a zip file of torch.save (.pth.tar)"


def kind_of_file(path: Path) -> str:
    """Say what a file is that is no zip file, and what helps.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.pth"
    >>> _ = path.write_bytes(b"GGUF....")
    >>> kind_of_file(path).partition(";")[0]
    'a GGUF file'
    """
    with open(path, "rb") as file:
        start = file.read(512)
    if not start:
        return f"empty; {WANTED}"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        return (
            f"a safetensors file; {WANTED}. A model of this project in that format is a folder, with config.json "
            "beside model.safetensors: name the folder"
        )
    if start[:1] == b"\x80" and OLD_TORCH in start[:32]:
        call = f"torch.save(torch.load({path.name!r}, map_location='cpu', weights_only=True), 'converted.pth')"
        return (
            f"in the format of PyTorch before 1.6; {WANTED}. Where PyTorch is, this line converts it, and refuses to "
            f"run anything that is hidden in it: import torch; {call}"
        )
    if start[:1] == b"\x80":
        return f"a pickle; {WANTED}. A pickle runs whatever it likes when it is loaded: do not, if you do not trust it"
    if start[257:262] == b"ustar":
        return f"a tar archive; {WANTED}"
    found = next((kind for magic, kind in KINDS.items() if start.startswith(magic)), None)
    if found is None:
        found = "a text" if all(32 <= byte < 127 or byte in b"\r\n\t" for byte in start) else "no zip file"
    return f"{found}; {WANTED}. It may also be cut short" if found == "no zip file" else f"{found}; {WANTED}"
