"""``--bpe amber_wordpiece``: BERT's WordPiece tokenizer for fairseq's own tools."""

from dataclasses import dataclass, field
from pathlib import Path

from fairseq.data.encoders import register_bpe
from fairseq.dataclass import FairseqDataclass

from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.tokenizers.subwords import find_tokenizer
from fairseq_amber.tokenizers.wordpiece import WordPiece


@dataclass
class WordPieceConfig(FairseqDataclass):
    """Flags of the tokenizer."""

    wordpiece_vocab: str = field(
        default="???",
        metadata={
            "help": "BERT's vocab.txt with its tokenizer_config.json beside it, or a folder that "
            "has both, such as a data folder"
        },
    )


@register_bpe("amber_wordpiece", dataclass=WordPieceConfig)
class WordPieceBPE:
    """Maps text to symbols of dict.txt, separated by spaces, and back."""

    @exit_clearly
    def __init__(self, cfg: WordPieceConfig):
        if cfg.wordpiece_vocab in (None, "???"):
            raise UserError("--bpe amber_wordpiece needs --wordpiece-vocab VOCAB.TXT")
        subwords = find_tokenizer(Path(cfg.wordpiece_vocab)).load()
        if not isinstance(subwords, WordPiece):
            raise UserError(
                f"--wordpiece-vocab {cfg.wordpiece_vocab} is not a WordPiece vocabulary; give "
                "--bpe sentencepiece for a SentencePiece model"
            )
        self._subwords = subwords
        self._symbols = [piece or "<unk>" for piece in subwords.pieces]

    def encode(self, x: str) -> str:
        """Maps text to symbols, such as ``Jim Hensons`` to ``Jim Hen ##sons``."""
        numbers, _ = self._subwords.encode([x])
        return " ".join(self._symbols[number] for number in numbers)

    def decode(self, x: str) -> str:
        """Maps symbols to text, with the spaces that BertTokenizer puts between pieces."""
        return self._subwords.decode(x.split())

    def is_beginning_of_word(self, x: str) -> bool:
        """Returns whether a symbol of dict.txt begins a word."""
        return not x.startswith("##")
