"""What a confined process runs that tries to write a file."""

from pathlib import Path

from engine.tasks.confined import serve


def write(header, content):
    try:
        Path(header["path"]).write_bytes(b"x" * 10)
    except OSError:
        return {"refused": True}, b""
    return {"refused": False}, b""


def main():
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    serve({"write": write}, lambda: None)
