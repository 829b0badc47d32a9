"""The command lines of every command that writes."""

# Each command with its output at {}; what it reads need not be there, since the lock comes first.
WRITERS = {
    "demo-corpus": "demo-corpus {}",
    "prepare": "prepare raw {}",
    "prepare-task": "prepare-task pos {} --tokenizer t --train en=x",
    "embed": "embed c.pt text {}",
    "retrieve": "retrieve c.pt --source a --target b --json {}",
    "mine": "mine c.pt --source a --target b --output {}",
    "mine --json": "mine c.pt --source a --target b --gold g --json {}",
    "align": "align c.pt --source a --target b --output {}",
    "aer": "aer a b --json {}",
    "evaluate": "evaluate c.pt task --json {}",
    "evaluate --predictions": "evaluate c.pt task --predictions {}",
    "report": "report a.json --output {}",
    "convert": "convert model {}",
    "average": "average a.pt b.pt --output {}",
    "doctor": "doctor --json {}",
}
