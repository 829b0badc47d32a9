"""``fairseq-amber evaluate``: scores a fine-tuned checkpoint in each language of a task."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairseq_amber.data.finetuning.task_folder import SPLITS, TaskFolder
from fairseq_amber.errors import UserError, one_line
from fairseq_amber.files.results import Result, check_place
from fairseq_amber.files.tables import plain_table
from fairseq_amber.inference.checkpoint import import_fairseq
from fairseq_amber.inference.flags import add_device_arguments
from fairseq_amber.inference.prediction.submission import (
    check_places,
    n_best_path,
    submission_path,
    write_predictions,
)
from fairseq_amber.metrics.question_answering import MAX_ANSWER_TOKENS
from fairseq_amber.number_flags import positive_whole_number

if TYPE_CHECKING:
    from fairseq_amber.data.finetuning.gold import Gold

SUMMARY = "scores of a fine-tuned checkpoint on tagging, classification or QA, per language"
EXAMPLE = (
    "fairseq-amber evaluate checkpoints/checkpoint_best.pt tasks/xnli --json xnli.json "
    "--predictions predictions"
)
WRITES = ("predictions", "json")
_OF_TRAINING = "; by default as the checkpoint was fine-tuned"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        type=Path,
        help="a checkpoint_*.pt that fairseq-train --task xtreme_* has written",
    )
    parser.add_argument(
        "folder",
        metavar="TASK_FOLDER",
        type=Path,
        help="a folder that prepare-task has written",
    )
    parser.add_argument("--split", default="test", choices=SPLITS, help="the part to evaluate on")
    parser.add_argument(
        "--languages",
        metavar="LANG,LANG",
        help="languages to evaluate on, such as de,zh; by default all of the split",
    )
    parser.add_argument(
        "--predictions",
        metavar="DIR",
        type=Path,
        help="also write the predictions, in the layout of a submission to XTREME",
    )
    parser.add_argument("--name", metavar="SYSTEM", help="the system's name in reports")
    parser.add_argument("--json", metavar="OUT", help="also write the result to this file")
    add_device_arguments(parser)
    parser.add_argument("--fp16", action="store_true", help="half precision; needs a GPU")
    parser.add_argument(
        "--max-length",
        type=positive_whole_number,
        metavar="N",
        help="longest row in subwords, special tokens included" + _OF_TRAINING,
    )
    parser.add_argument(
        "--pair-positions",
        choices=("continuous", "xlm", "restart"),  # data.layout's, whose import needs torch
        help="pairs and QA: positions of a row's second part" + _OF_TRAINING,
    )
    parser.add_argument(
        "--pair-segments",
        choices=("auto", "none"),
        help="pairs and QA: token types of a row's second part" + _OF_TRAINING,
    )
    parser.add_argument(
        "--doc-stride",
        type=positive_whole_number,
        metavar="N",
        help="QA: subwords between the beginnings of windows" + _OF_TRAINING,
    )
    parser.add_argument(
        "--max-query-length",
        type=positive_whole_number,
        metavar="N",
        help="QA: longest question in subwords" + _OF_TRAINING,
    )
    parser.add_argument(
        "--max-answer-tokens",
        type=positive_whole_number,
        default=MAX_ANSWER_TOKENS,
        metavar="N",
        help=f"QA: longest answer in subwords (XTREME: {MAX_ANSWER_TOKENS})",
    )
    parser.add_argument(
        "--n-best",
        type=positive_whole_number,
        metavar="N",
        help="QA: with --predictions, also write the N best answers to each question with their "
        "scores, as nbest-test-LANG.json (XTREME: 20)",
    )


def run(args: argparse.Namespace) -> None:
    """Prints the scores of each language in percent, and writes what the flags ask for."""
    if args.json:
        check_place(args.json)
    folder = TaskFolder.open(args.folder)
    folder.check_labels()
    languages = _languages(args, folder)
    import_fairseq()
    from fairseq_amber.data.finetuning.learning import Decoding, learning_of
    from fairseq_amber.inference.prediction.predictor import Predictor

    gold_class = learning_of(folder.kind).gold
    tests = {language: gold_class(folder, args.split, language) for language in languages}
    without_gold = [language for language, test in tests.items() if not test.scored]
    if len(without_gold) == len(tests) and not args.predictions:
        raise UserError(
            f"{args.folder} has no gold for {args.split} in {', '.join(languages)}, so there is "
            "nothing to score; write the predictions with --predictions DIR"
        )
    if args.n_best and not (gold_class.by_id and args.predictions):
        raise UserError("--n-best N is for question answering, and goes with --predictions DIR")

    predictor = Predictor.load(
        args.checkpoint,
        folder,
        device=args.device,
        fp16=args.fp16,
        decoding=Decoding(args.max_answer_tokens, args.n_best or 1),
        max_length=args.max_length,
        doc_stride=args.doc_stride,
        max_query_length=args.max_query_length,
        pair_positions=args.pair_positions,
        pair_segments=args.pair_segments,
    )
    paths = {}
    if args.predictions:
        paths = {name: _predictions_path(args, folder, gold_class, name) for name in languages}
        _check_places(args, list(paths.values()), predictor.labels)
    per_language: dict[str, dict[str, Any]] = {}
    outcomes = {}
    submission: dict[Path, Any] = {}  # written together, when every language has its predictions
    for language, test in tests.items():
        predicted = predictor.predict(args.split, language, batch_tokens=args.batch_tokens)
        if test.scored:
            per_language[language] = _parts(test, predicted)
            outcomes[language] = {"score": test.outcomes(predicted)}
        if args.predictions:
            submission[paths[language]] = test.for_submission(predicted)
            if args.n_best:
                submission[n_best_path(paths[language])] = test.n_best(predicted)
    for path, content in submission.items():
        write_predictions(path, content)

    config = {**predictor.config, "split": args.split, "test": str(args.folder)}
    if per_language:
        result = Result.from_languages(
            task=_task_name(folder.task, args.split),
            metric=gold_class.metric,
            system=args.name or str(args.checkpoint),
            per_language=per_language,
            config=config,
        )
        print(_table(result, gold_class))
        if args.json:
            result.write(args.json, outcomes)
    print(_legend(gold_class, folder.task, config))
    for line in _notes(tests, without_gold, args):
        print(line)
    if args.predictions:
        path = _predictions_path(args, folder, gold_class, "LANG")
        print(f"wrote {path} for {len(tests)} languages")


def _predictions_path(
    args: argparse.Namespace, folder: TaskFolder, gold_class: type[Gold], language: str
) -> Path:
    return submission_path(
        args.predictions, folder.task, args.split, language, by_id=gold_class.by_id
    )


def _check_places(args: argparse.Namespace, paths: list[Path], labels: list[str]) -> None:
    """Checks the files of predictions before the long work."""
    if args.n_best:
        paths = [*paths, *map(n_best_path, paths)]
    if args.json and any(Path(args.json).absolute() == path.absolute() for path in paths):
        raise UserError(f"--json: {args.json} is a file of the predictions; name another file")
    check_places(paths, labels)


def _languages(args: argparse.Namespace, folder: TaskFolder) -> list[str]:
    available_languages = folder.languages(args.split)
    if not available_languages:
        raise UserError(
            f"{args.folder} has no {args.split}; add it with fairseq-amber prepare-task "
            f"{folder.task} {args.folder} --{args.split} LANG=FILE"
        )
    if args.languages is None:
        return available_languages
    wanted = list(dict.fromkeys(name.strip() for name in args.languages.split(",")))
    for language in wanted:
        if language not in available_languages:
            raise UserError(
                f"--languages: {args.folder} has no {args.split} in {language!r}; it has "
                f"{', '.join(available_languages)}"
            )
    return wanted


def _parts(test: Gold, predicted: list[Any]) -> dict[str, Any]:
    """Returns the entry of a language in the result's JSON."""
    scores = test.score(predicted)
    baseline = {f"baseline_{key}": value for key, value in test.baseline().items()}
    score = scores[next(iter(test.headings))]
    counts = {"n": test.scored, "test_digest": test.digest()}
    return {"score": score, **scores, **baseline, **counts}


def _task_name(task: str, split: str) -> str:
    """Returns the task's name in results: the test set of SQuAD is XQuAD."""
    return "xquad" if (task, split) == ("squad", "test") else task


def _table(result: Result, gold_class: type[Gold]) -> str:
    keys = [*gold_class.headings, *(f"baseline_{key}" for key in gold_class.headings)]
    headings = [
        *gold_class.headings.values(),
        *(f"baseline {name}" for name in gold_class.headings.values()),
    ]
    rows = [
        [language, str(parts["n"])] + [f"{parts[key]:.2f}" for key in keys]
        for language, parts in result.per_language.items()
    ]
    if len(rows) > 1:
        columns = ([parts[key] for parts in result.per_language.values()] for key in keys)
        means = [f"{sum(column) / len(column):.2f}" for column in columns]
        rows.append(["mean", str(result.n), *means])
    return plain_table(["language", "n", *headings], rows)


def _legend(gold_class: type[Gold], task: str, config: dict[str, Any]) -> str:
    """Returns the names of the scores, and the settings they were measured with."""
    names = " and ".join(gold_class.headings.values())
    settings = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in config.items())
    lines = [one_line(f"{names} in %; baseline: {gold_class.baseline_name}; {settings}")]
    return "\n".join([*lines, *gold_class.remarks(task)])


def _notes(tests: dict[str, Gold], without_gold: list[str], args: argparse.Namespace) -> list[str]:
    """Returns notes on examples without gold and on repeated ids, which limit the scores."""
    notes = []
    if without_gold:
        notes.append(f"note: no gold in {', '.join(without_gold)}: not scored")
    if args.json and len(without_gold) == len(tests):
        notes.append(f"note: nothing to score: {args.json} is not written")
    for language, test in tests.items():
        if 0 < test.scored < test.total:
            notes.append(
                f"note: {language}: {test.total - test.scored} of {test.total} examples have no "
                "gold and are not scored"
            )
        if args.predictions and test.repeated:
            notes.append(
                f"note: {language}: {test.repeated} questions have the id of another; for such an "
                "id the predictions hold only the answer to the last question"
            )
    return notes
