"""Finds tokens that were added to a tokenizer after it had been learnt.

Such a token is found in the text first, and what stands around it is cut into subwords as if it
were a text of its own. The package tokenizers finds them, by the rules of their flags.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Iterator, Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.added_token_files import FLAGS, AddedToken
from fairseq_amber.tokenizers.fairseq_order import fits_dictionary
from fairseq_amber.tokenizers.offsets import PlacedSubwords, join

_OTHER = "\n"  # stands for the text around added tokens; no token that is kept has a line end


class AddedTokens:
    """Finds added tokens in text.

    Args:
        tokens: the tokens; those that dict.txt cannot hold are text.
        pieces: the pieces of the tokenizer; the tokens that it lacks are appended.
        normalizer: makes the normaliser that the tokenizer has, of the package tokenizers; it is
            called only if there are tokens.

    Raises:
        UserError: the package tokenizers is missing.
    """

    def __init__(
        self,
        tokens: Iterable[AddedToken],
        pieces: list[str | None],
        normalizer: Callable[[], Any],
    ):
        kept = [token for token in tokens if fits_dictionary(token.content)]
        self._tokenizer: Any = None
        if not kept:
            return
        tokenizers = import_tokenizers("tokens that were added to a tokenizer need")
        self._tokenizer = tokenizers.Tokenizer(
            tokenizers.models.WordLevel({_OTHER: 0}, unk_token=_OTHER)
        )
        self._tokenizer.normalizer = normalizer()
        self._tokenizer.add_tokens(
            [
                tokenizers.AddedToken(
                    token.content, **{flag: getattr(token, flag) for flag in FLAGS}
                )
                for token in kept
            ]
        )
        places = {piece: place for place, piece in enumerate(pieces) if piece is not None}
        for token in kept:
            if token.content not in places:
                places[token.content] = len(pieces)
                pieces.append(token.content)
        self._numbers = [-1, *(places[token.content] for token in kept)]

    def __bool__(self) -> bool:
        return self._tokenizer is not None

    def encode(
        self,
        lines: Sequence[str],
        encode: Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Encodes lines, with ``encode`` for the text between tokens; see ``Subwords.encode``."""
        if not self or not len(lines):
            return encode(lines)
        cuts = list(self._cut(lines))
        texts = [
            line[begin:end] for line, cut in zip(lines, cuts) for begin, end, n in cut if n < 0
        ]
        numbers, lengths = encode(texts)
        ends = iter(np.cumsum(lengths).tolist())
        parts: list[np.ndarray] = [numbers[:0]]
        sizes = np.zeros(len(lines), np.int64)
        start = 0
        for row, cut in enumerate(cuts):
            for _, _, number in cut:
                if number < 0:
                    end = next(ends)
                    parts.append(numbers[start:end])
                    start = end
                else:
                    parts.append(np.array([number], numbers.dtype))
                sizes[row] += len(parts[-1])
        return np.concatenate(parts), sizes

    def encode_with_offsets(
        self, texts: Sequence[str], encode: Callable[[Sequence[str]], PlacedSubwords]
    ) -> PlacedSubwords:
        """Encodes texts in the same way; see ``Subwords.encode_with_offsets``."""
        if not self:
            return encode(texts)
        return join([self._placed(text, cut, encode) for text, cut in zip(texts, self._cut(texts))])

    def _placed(
        self,
        text: str,
        cut: Sequence[tuple[int, int, int]],
        encode: Callable[[Sequence[str]], PlacedSubwords],
    ) -> PlacedSubwords:
        numbers: list[np.ndarray] = [np.zeros(0, np.int32)]
        offsets: list[np.ndarray] = [np.zeros((0, 2), np.int32)]
        for begin, end, number in cut:
            if number < 0:
                part = encode([text[begin:end]])
                numbers.append(part.numbers)
                offsets.append(part.offsets + np.int32(begin))
            else:
                stripped = text[begin:end]
                begin += len(stripped) - len(stripped.lstrip())
                end -= len(stripped) - len(stripped.rstrip())
                numbers.append(np.array([number], np.int32))
                offsets.append(np.array([[begin, end]], np.int32))
        joined = np.concatenate(numbers)
        return PlacedSubwords(joined, np.array([len(joined)]), np.concatenate(offsets))

    def _cut(self, texts: Sequence[str]) -> Iterator[list[tuple[int, int, int]]]:
        """Yields for each text its parts: begin, end, and the number of the piece or -1."""
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        for text, encoded in zip(texts, found):
            parts = []
            done = 0
            for token, (begin, end) in zip(encoded.ids, encoded.offsets):
                if token:
                    parts += [(done, begin, -1)] if done < begin else []
                    parts.append((begin, end, self._numbers[token]))
                    done = end
            yield parts + ([(done, len(text), -1)] if done < len(text) else [])


def import_tokenizers(what: str) -> Any:
    """Returns the module ``tokenizers``.

    Args:
        what: what needs it, with the verb, for the error.

    Raises:
        UserError: the package is missing.
    """
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.normalizers
        import tokenizers.pre_tokenizers
    except ImportError:
        raise UserError(f"{what} the tokenizers package; pip install tokenizers") from None
    return tokenizers
