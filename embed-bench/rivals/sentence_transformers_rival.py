"""sentence-transformers as a rival of compare-cpu: the same model, fp32, on the CPU with torch's defaults.

    sentence_transformers_rival.py convert JAR DIRECTORY   writes the jar's ONNX weights as a Hugging Face directory
    sentence_transformers_rival.py serve DIRECTORY         obeys io.embed4j.bench.protocol.Request, a line of JSON each

Converting needs what embed-testkit/fixtures/requirements.txt lists, serving sentence-transformers alone. Nothing is
downloaded.
"""

import json
import os
import sys
import time
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[2] / "embed-testkit" / "fixtures"


def convert(jar: Path, directory: Path) -> None:
    """The same directory the fixture's truth was computed from; nothing to do if it is newer than the jar."""
    done = directory / "converted"
    if done.exists() and done.stat().st_mtime > jar.stat().st_mtime:
        return
    sys.path.insert(0, str(FIXTURES))
    from families import minilm_default

    directory.mkdir(parents=True, exist_ok=True)
    minilm_default.fixture(jar).write_model(directory)
    done.touch()


class Rival:
    """Answers requests; the names in them are those of the Java records."""

    def __init__(self) -> None:
        self.model = None

    def load(self, directory: str, request: dict) -> dict:
        import sentence_transformers
        import torch

        self.model = sentence_transformers.SentenceTransformer(directory, device="cpu", local_files_only=True)
        self._encode(request["texts"])
        first_vector_millis = round(time.time() * 1000) - request["startedEpochMillis"]
        engine = (
            f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}, "
            f"{torch.get_num_threads()} threads, no ONNX Runtime"
        )
        return {"engine": engine, "firstVectorMillis": first_vector_millis}

    def embed(self, request: dict) -> dict:
        return {"vectors": self._encode(request["texts"]).tolist()}

    def time(self, request: dict) -> dict:
        texts = request["texts"]
        began = time.perf_counter()
        if request["onePerCall"]:
            vectors = sum(len(self._encode([text])) for text in texts)
        else:
            vectors = len(self._encode(texts))
        seconds = time.perf_counter() - began
        if vectors != len(texts):
            raise ValueError(f"{len(texts)} texts gave {vectors} vectors.")
        return {"seconds": seconds}

    def finish(self) -> dict:
        peak_resident_bytes = 0
        status = Path("/proc/self/status")
        if status.exists():
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak_resident_bytes = 1024 * int(line.split()[1])
        return {"peakResidentBytes": peak_resident_bytes}

    def _encode(self, texts: list[str]):
        return self.model.encode(texts, show_progress_bar=False)


def serve(directory: str) -> None:
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to standard error
    rival = Rival()
    for line in open(0, encoding="utf-8", newline="\n"):
        request = json.loads(line)
        command = request["command"]
        try:
            if command == "LOAD":
                reply = rival.load(directory, request)
            elif command == "FINISH":
                reply = rival.finish()
            else:
                reply = {"EMBED": rival.embed, "TIME": rival.time}[command](request)
        except Exception as e:  # whatever it throws is the answer
            reply = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(reply), file=replies, flush=True)
        if command == "FINISH":
            return


def main(arguments: list[str]) -> None:
    os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    if arguments[:1] == ["convert"] and len(arguments) == 3:
        convert(Path(arguments[1]), Path(arguments[2]))
    elif arguments[:1] == ["serve"] and len(arguments) == 2:
        serve(arguments[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
