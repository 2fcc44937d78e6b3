"""All commands under one name."""

import typer

from monitor.cli import check, demo, evaluate, judge, listen, replay, run, train
from monitor.cli.errors import command

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A real-time CCTV monitor that notices when somebody hides their face.",
)
for each in (demo.demo, run.run, check.check, replay.replay, judge.judge, listen.listen):
    app.command()(command(each))

evaluations = typer.Typer(no_args_is_help=True, help="Measure a model on labelled pictures.")
evaluations.command("judge")(command(evaluate.judge))
evaluations.command("detector")(command(evaluate.detector))
app.add_typer(evaluations, name="evaluate")

trainings = typer.Typer(no_args_is_help=True, help="Train the embedded models on a folder.")
trainings.command("judge")(command(train.judge))
trainings.command("detector")(command(train.detector))
app.add_typer(trainings, name="train")
