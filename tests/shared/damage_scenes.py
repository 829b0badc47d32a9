"""Every kind of file that ``fairseq-amber`` reads, with the commands that read it."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from checkpoint_fixtures import PAIRS
from damage_trials import Trial
from fairseq_amber.cli import main
from raw_task_files import squad

TASKS = {
    "ner": ("Der\tO\nHund\tB-PER\n\nMontag\tB-LOC\nist\tO\n", "tagging"),
    "pawsx": ("Der Hund\tEin Hund\t1\nder Zug\tschläft\t0\n", "classification"),
    "squad": (squad("1", "Bello"), "qa"),
}
TINY = {
    "_name": "amber_tiny",
    "encoder_layers": 2,
    "encoder_embed_dim": 16,
    "encoder_ffn_embed_dim": 16,
    "encoder_attention_heads": 2,
    "max_positions": 64,
}
WORDPIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] der hund schläft the dog sleeps ##s . a ##a".split()


@pytest.fixture(scope="module")
def damage_scenes(tmp_path_factory) -> Scenes:
    """Whole files of a module's own, to be damaged one by one."""
    return Scenes(tmp_path_factory.mktemp("scenes"))


class Scenes:
    """Whole files in a folder, made by the commands themselves where these write them.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path):
        self.root = root
        self.raw = root / "raw"
        self.data = root / "data-bin"
        self.raw.mkdir()
        for language, side in (("de", 0), ("en", 1)):
            text = "".join(f"{sentences[side]}\n" for sentences in PAIRS)
            for split in ("train", "valid"):
                (self.raw / f"{split}.de-en.{language}").write_text(text, encoding="utf-8")
        self.prepare = ("prepare", str(self.raw), "--vocab-size", "90", "--workers", "1")
        self.prepare += ("--word-boundaries", "moses")
        self.do(*self.prepare, self.data)
        self.checkpoint = self.write_checkpoint("checkpoint_best.pt", self.data)
        self.source, self.target = (self.raw / f"valid.de-en.{x}" for x in ("de", "en"))

    def do(self, *argv) -> None:
        """Runs a command, which must succeed."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert main([str(part) for part in argv]) == 0, argv

    def write_checkpoint(self, name: str, data: Path, seed: int = 1, head=None, state=None) -> Path:
        """Writes an untrained checkpoint as fairseq-train does; ``head`` is one's name and size."""
        from fairseq_amber.models.amber import AmberModel
        from fairseq_amber.tokenizers.dictionary import fingerprint, load_dictionary

        dictionary = load_dictionary(data)
        torch.manual_seed(seed)
        task = SimpleNamespace(source_dictionary=dictionary)
        model = AmberModel.build_model(SimpleNamespace(**TINY), task)
        if head is not None:
            model.add_head(*head)
        settings = {"data": str(data), "max_length": 32, "doc_stride": 8, "max_query_length": 8}
        content = {
            "args": None,
            "cfg": {"model": TINY, "task": settings},
            "model": model.state_dict(),
            "optimizer_history": [{"num_updates": 7}],
            "task_state": {"dictionary": fingerprint(dictionary), **(state or {})},
        }
        torch.save(content, self.root / name)
        return self.root / name

    def corpus(self) -> list[Trial]:
        """Binarised text, and what reads it."""
        pair = self.data / "parallel" / "de-en" / "valid.de-en.de"
        on_corpus = ("--corpus", str(self.data), "--split", "valid", "--output", "{out}/links")
        align = ("align", str(self.checkpoint), *on_corpus, "--units", "words")
        doctor = ("doctor", str(self.data))
        copy = Path(shutil.copytree(self.data, self.root / "prepared"))
        files = {
            "index": Path(f"{pair}.idx"),
            "ids": Path(f"{pair}.bin"),
            "dictionary": self.data / "dict.txt",
            "SentencePiece model": self.data / "sentencepiece.bpe.model",
            "checkpoint": self.checkpoint,
        }
        trials = [Trial(kind, file, align, kind != "index") for kind, file in files.items()]
        files["kept words"] = Path(f"{pair}.words")
        files["prepare.json"] = self.data / "prepare.json"
        del files["checkpoint"]
        trials += [Trial(kind, file, doctor, True) for kind, file in files.items()]
        for name in ("prepare.json", "dict.txt", "sentencepiece.bpe.model"):
            again = (*self.prepare, "{out}")
            trials.append(Trial(name, copy / name, again, True, begun=copy))
        for file in (self.source, self.target):
            trials.append(Trial("text", file, ("prepare", str(self.raw), "{out}/new"), True))
        return trials

    def measuring(self) -> list[Trial]:
        """Vectors, links, gold, results, and their commands."""
        vectors, links, gold = (self.root / name for name in ("v.npy", "test.align", "test.gold"))
        self.do("embed", self.checkpoint, self.source, vectors)
        links.write_text("0-0 1-1\n" * len(PAIRS))
        gold.write_text("0-0 1p1\n" * len(PAIRS))
        for name in ("a", "b"):
            out = self.root / f"{name}.json"
            self.do("aer", links, gold, "--name", name, "--json", out)
        embed = ("embed", str(self.checkpoint), str(self.source), "{out}/v.npy")
        texts = ("--source", str(self.source), "--target", str(self.target))
        retrieve = ("retrieve", str(self.checkpoint), *texts, "--json", "{out}/r.json")
        mine = ("mine", "--vectors", str(vectors), str(vectors), "--output", "{out}/mined")
        aer = ("aer", str(links), str(gold), "--json", "{out}/aer.json")
        results = [str(self.root / f"{name}.json") for name in ("a", "b")]
        report = ("report", *results, "--compare", "a", "b", "--output", "{out}/report")
        model, words = self.data / "sentencepiece.bpe.model", self.data / "dict.txt"
        return [
            Trial("checkpoint", self.checkpoint, embed, True),
            Trial("SentencePiece model", model, embed, True),
            Trial("dictionary", words, retrieve, True),
            Trial("text", self.source, retrieve, True),
            Trial("vectors", vectors, mine, True),
            Trial("links", links, aer, True),
            Trial("gold", gold, aer, True),
            Trial("result", self.root / "a.json", report, True, ("--compare",)),
            Trial("outcomes", self.root / "a.items.npz", report),
            *self._interrupted(embed, vectors),
        ]

    def _interrupted(self, embed: tuple[str, ...], vectors: Path) -> list[Trial]:
        """What an interrupted run of embed left."""
        from fairseq_amber.inference.embedding import vector_file

        begun = self.root / "begun"
        finish = vector_file.VectorFile.finish

        def stop(_):
            raise KeyboardInterrupt

        vector_file.VectorFile.finish = stop  # type: ignore[method-assign]
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                assert main([part.format(out=begun) for part in embed]) == 130
        finally:
            vector_file.VectorFile.finish = finish  # type: ignore[method-assign]
        partial = begun / "v.npy.partial"
        state = Trial("embed's state", partial / "state.json", embed, begun=begun)
        return [state, Trial("embed's rows", partial / "vectors.npy", embed, begun=begun)]

    def tasks(self) -> list[Trial]:
        """Raw and prepared tasks."""
        trials = []
        for name, (text, kind) in TASKS.items():
            raw, folder = self.root / f"{name}.raw", self.root / name
            raw.write_text(text, encoding="utf-8")
            flags = ("--tokenizer", str(self.data), "--workers", "1", "--train", f"de={raw}")
            flags += ("--test", f"de={raw}")
            self.do("prepare-task", name, folder, *flags)
            labels = json.loads((folder / "task.json").read_text())["labels"]
            state = {"task": name, "kind": kind, "labels": labels}
            checkpoint = self.write_checkpoint(
                f"{name}.pt", self.data, head=(kind, len(labels) or 2), state=state
            )
            evaluate = ("evaluate", str(checkpoint), str(folder), "--split", "test")
            evaluate += ("--json", "{out}/r.json", "--predictions", "{out}/predictions")
            trials.append(Trial("raw task", raw, ("prepare-task", name, "{out}/t", *flags), True))
            trials.append(Trial("task.json", folder / "task.json", evaluate, True))
            trials.append(Trial("examples", folder / "test.de.npz", evaluate))
            trials.append(Trial("dictionary", folder / "dict.txt", evaluate, True))
            trials.append(Trial("checkpoint", checkpoint, evaluate, True))
            doctor = ("doctor", str(folder))
            for file in sorted(folder.glob("*.json")) + sorted(folder.glob("labels.txt")):
                trials.append(Trial("task.json", file, doctor, True))
            if kind == "qa":
                trials.append(Trial("questions", folder / "test.de.json", evaluate, True))
        return trials

    def models(self) -> list[Trial]:
        """Checkpoints and folders of Hugging Face."""
        other = self.write_checkpoint("other.pt", self.data, seed=2)
        average = ("average", str(self.checkpoint), str(other), "--output", "{out}/mean.pt")
        export = ("convert", str(self.checkpoint), "{out}/model", "--to", "hugging-face")
        trials = [Trial("checkpoint", other, average, True)]
        trials += [Trial("checkpoint", self.checkpoint, export, True)]
        trials += [Trial("dictionary", self.data / "dict.txt", export, True)]
        folder = self.root / "hugging-face"
        self.do("convert", self.checkpoint, folder, "--to", "hugging-face", "--pooling", "mean")
        sharded = self._sharded(folder)
        for source in (folder, sharded):
            again = ("convert", str(source), "{out}/model")
            for file in sorted(source.rglob("*")):
                if file.is_file() and file.suffix in (".json", ".safetensors", ".model", ".txt"):
                    trials.append(Trial(f"Hugging Face's {file.name}", file, again, True))
        return trials

    def _sharded(self, folder: Path) -> Path:
        """The same model in two files of weights and their index."""
        from safetensors.torch import load_file, save_file

        sharded = Path(shutil.copytree(folder, self.root / "sharded"))
        weights = load_file(sharded / "model.safetensors")
        (sharded / "model.safetensors").unlink()
        where = {}
        for number in (0, 1):
            part = {name: weights[name] for name in list(weights)[number::2]}
            name = f"model-{number}.safetensors"
            save_file(part, sharded / name, metadata={"format": "pt"})
            where.update(dict.fromkeys(part, name))
        index = {"metadata": {}, "weight_map": where}
        (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
        return sharded

    def wordpieces(self) -> list[Trial]:
        """A vocabulary of BERT's."""
        folder = self.root / "bert"
        folder.mkdir()
        (folder / "vocab.txt").write_text("\n".join(WORDPIECES) + "\n", encoding="utf-8")
        settings = {"do_lower_case": True, "tokenizer_class": "BertTokenizer"}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        prepare = ("prepare", str(self.raw), "{out}/new", "--tokenizer", str(folder))
        return [
            Trial("WordPiece vocabulary", folder / "vocab.txt", (*prepare, "--workers", "1"), True),
            Trial("tokenizer_config.json", folder / "tokenizer_config.json", prepare, True),
        ]
