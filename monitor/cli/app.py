"""All commands under one name."""

import typer

from monitor.cli import (
    check,
    demo,
    evaluate,
    judge,
    listen,
    models,
    outbox,
    replay,
    run,
    schema,
    serve,
    train,
)
from monitor.cli.errors import command

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A real-time CCTV monitor that notices hidden faces.",
)
commands = (
    demo.demo,
    run.run,
    serve.serve,
    check.check,
    replay.replay,
    judge.judge,
    listen.listen,
)
for body in commands:
    app.command()(command(body))
app.command("schema")(command(schema.schema))

boxes = typer.Typer(
    no_args_is_help=True, help="List, send or export the alerts that wait for the broker."
)
boxes.command("list")(command(outbox.list_))
boxes.command("resend")(command(outbox.resend))
boxes.command("export")(command(outbox.export))
app.add_typer(boxes, name="outbox")

judges = typer.Typer(no_args_is_help=True, help="List, fetch and try judges.")
judges.command("list")(command(models.list_))
judges.command("pull")(command(models.pull_))
judges.command("pin")(command(models.pin))
judges.command("export")(command(models.export))
judges.command("check")(command(models.check))
app.add_typer(judges, name="models")

evaluations = typer.Typer(no_args_is_help=True, help="Measure a model on labelled pictures.")
evaluations.command("judge")(command(evaluate.judge))
evaluations.command("calibrate")(command(evaluate.calibrate))
evaluations.command("detector")(command(evaluate.detector))
evaluations.command("thresholds")(command(evaluate.thresholds))
app.add_typer(evaluations, name="evaluate")

trainings = typer.Typer(no_args_is_help=True, help="Train the embedded models.")
trainings.command("judge")(command(train.judge))
trainings.command("detector")(command(train.detector))
trainings.command("labels")(command(train.labels))
trainings.command("unseen")(command(train.unseen))
trainings.command("sheet")(command(train.sheet))
app.add_typer(trainings, name="train")
