"""The command `mtl`. Each subcommand imports its own modules, so that `mtl --help` is there at once."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mtl.cli import model_commands, network_commands
from mtl.errors import exit_on_user_error

ROOT = Path()


class _DataGroup(TyperGroup):
    """`mtl data …`, loaded when it is asked for: its commands pull in the readers of every source."""

    def _loaded(self) -> Any:
        from mtl.cli.data_commands import app as commands

        return typer.main.get_command(commands)

    def list_commands(self, ctx: Any) -> list[str]:
        names: list[str] = self._loaded().list_commands(ctx)
        return names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self._loaded().get_command(ctx, cmd_name)


app = typer.Typer(
    name="mtl",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
preset_app = typer.Typer(no_args_is_help=True, help="Ready-made params.yaml files.")
app.add_typer(preset_app, name="preset")
runs_app = typer.Typer(no_args_is_help=True, help="Training states of interrupted runs.")
app.add_typer(runs_app, name="runs")
app.add_typer(
    typer.Typer(cls=_DataGroup, no_args_is_help=True, help="Fetch data sets, add your own, see what is there."),
    name="data",
)
app.add_typer(network_commands.app, name="model")


@app.callback()
def before_each() -> None:
    """Should related tasks be trained together? `mtl repro` answers; params.yaml asks."""
    database = ROOT / "mlflow.db"
    if database.exists():
        from mtl.tracking.moved import mend_moved

        for moved in mend_moved(database, ROOT):
            print(moved, file=sys.stderr)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the project; made if it is missing.")],
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own table, copied in; else the data of the preset.")
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="What is predicted, by commas: COLUMN, COLUMN:KIND, NAME=COLUMN>=NUMBER (also <=, >, <), "
            "NAME=COLUMN==VALUE (or VALUE|VALUE). Names with commas, colons or signs in them stand in quotes.",
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Rows of one person, place or machine stay together.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Settings of a preset; with --data those of training.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="NAME=VALUE", help="A setting of the source, such as decimal=, or ignore=[a]."
        ),
    ] = None,
) -> None:
    """Make a project of your own, from a table or from a preset."""
    from mtl.cli.init.init import init as make

    make(folder, data, targets, group, preset, option or [])


@app.command()
def validate() -> None:
    """Check params.yaml; exit code 2 and one message when a value cannot be used."""
    from mtl.cli.estimate.estimate import estimate
    from mtl.cli.network_checks import check_network
    from mtl.cli.plugin_checks import check_plugins
    from mtl.cli.preflight import DVC_FILE, filled_note, missing_files
    from mtl.cli.repro import bring_code_up_to_date
    from mtl.cli.sample_sizes import order_note, sizes_note
    from mtl.cli.study.search_space import tuning_note
    from mtl.config import load_config
    from mtl.setup.table_checks import check_tables

    config = load_config()
    bring_code_up_to_date(ROOT)
    untried = [*check_plugins(config, ROOT), *check_tables(config, ROOT), *check_network(config, ROOT)]
    single = len(config.baseline_tasks) * len(config.baseline.starts)
    runs = len(config.base.seeds) * (single + len(config.finetune.methods))
    counts = {
        "task": len(config.tasks), "method": len(config.finetune.methods), "seed": len(config.base.seeds),
        "training run": runs,
    }  # fmt: skip
    said = ", ".join(f"{count} {thing}{'' if count == 1 else 's'}" for thing, count in counts.items())
    print(f"params.yaml is fine: {said}.")
    for sentence in estimate(config, root=ROOT).sentences if (ROOT / DVC_FILE).exists() else ():
        print(f"`mtl repro`: {sentence}.")
    notes = [*untried, *filled_note(config, ROOT), *missing_files(config, ROOT)]
    for note in [*notes, *tuning_note(config), *order_note(config, ROOT), sizes_note(config, ROOT)]:
        print(f"note: {note}{'' if note.endswith('?') else '.'}")


@app.command()
def repro(
    targets: Annotated[list[str] | None, typer.Argument(help="DVC targets; none: everything.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Compute also what is up to date.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="First look: one seed, few epochs, apart from the results in .mtl/quick.")
    ] = False,
    scheduler: Annotated[
        str | None, typer.Option(envvar="MTL_SCHEDULER", help="tcp://HOST:PORT: train on a Dask scheduler's workers.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(envvar="MTL_STORE", help="With --scheduler: a folder or URL that all workers reach; else .mtl."),
    ] = None,
) -> None:
    """Run what is not up to date, then print the verdicts."""
    from mtl.cli.repro import repro as run
    from mtl.jobs.scheduler import use

    use(scheduler, store)
    raise typer.Exit(run(targets or [], force, ROOT, quick))


@app.command()
def show() -> None:
    """Print the verdicts of the last evaluation."""
    from mtl.cli.repro import show as print_table

    print_table(ROOT)


@app.command()
def advise(
    everything: Annotated[bool, typer.Option("--all", help="Also what was looked at and is fine.")] = False,
) -> None:
    """Print what the results recommend, and what each line rests on."""
    from mtl.cli.advise import advise as run

    run(ROOT, everything)


app.add_typer(model_commands.app)


@app.command()
def check(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the second run's folder where it is.")] = False,
    reference: Annotated[bool, typer.Option("--reference", help="Compare with reference/<preset>.json.")] = False,
    write_reference: Annotated[bool, typer.Option("--write-reference", help="Write reference/<preset>.json.")] = False,
) -> None:
    """Run everything again in a copy of the project and compare every byte, or compare with a reference."""
    from mtl.cli.check import check as checks
    from mtl.errors import UserError

    if keep + reference + write_reference > 1:
        raise UserError("`check` should be given at most one of --keep, --reference, --write-reference.")
    if write_reference:
        checks.write_reference(ROOT)
    else:
        raise typer.Exit(checks.check_reference(ROOT) if reference else checks.check(ROOT, keep))


@app.command()
def tune(
    trials: Annotated[int | None, typer.Option(min=1, help="Finished trials of each arm; else tune.trials.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes side by side; else base.jobs, or all of --scheduler.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds after which no trial is begun.")] = None,
    storage: Annotated[
        str | None, typer.Option(envvar="MTL_STORAGE", help="sqlite:///FILE or postgresql://…; else a file in .mtl.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(envvar="MTL_SCHEDULER", help="tcp://HOST:PORT: train on a Dask scheduler's workers.")
    ] = None,
    study: Annotated[str, typer.Option(help="Its name.")] = "study",
    arms: Annotated[bool, typer.Option("--arms", help="Tune every method and STL, with equal budgets.")] = False,
    apply: Annotated[
        str | None, typer.Option(metavar="best|TRIAL", help="Write a trial's values into params.yaml.")
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Make the study again from study.json and compare.")] = False,
) -> None:
    """Search λ, its schedule, the learning rate, … by Optuna; the section `tune` of params.yaml says what."""
    from mtl.config import load_config
    from mtl.errors import UserError

    if apply is not None and replay:
        raise UserError("`tune` should be given at most one of --apply, --replay.")
    if apply is not None:
        from mtl.cli.study.apply import apply as write
        from mtl.cli.study.apply import described

        chosen = write(apply, study, storage, ROOT)
        print_diff(chosen.diff or "params.yaml has these values already.")
        print(described(chosen))
        return
    if replay:
        from mtl.cli.study.replay import replay as run_again

        raise typer.Exit(run_again(study, ROOT))
    from mtl.cli.study.tune import Resources
    from mtl.cli.study.tune import tune as run

    raise typer.Exit(run(load_config(), study, trials, timeout, arms, Resources(workers, scheduler, storage), ROOT))


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 5000,
    study: Annotated[bool, typer.Option("--study", help="Studies, in Optuna's dashboard.")] = False,
    storage: Annotated[
        str | None, typer.Option(envvar="MTL_STORAGE", help="With --study: as `mtl tune --storage`.")
    ] = None,
    models: Annotated[
        bool, typer.Option(help="Put the model of each method into its summary, as `mtl sync` does.")
    ] = True,
) -> None:
    """Open the runs in MLflow, or the studies in Optuna's dashboard."""
    if study:
        from mtl.cli.study.ui import serve_studies

        raise typer.Exit(serve_studies(storage, port, ROOT))
    from mtl.cli.ui import serve
    from mtl.config import load_config

    raise typer.Exit(serve(load_config(), port, ROOT, models))


@app.command()
def sync(
    models: Annotated[bool, typer.Option(help="Put the model of each method into its summary.")] = True,
) -> None:
    """Publish to MLflow what the result files hold and it does not, and the model of each method."""
    from mtl.cli.sync import sync as run
    from mtl.config import load_config

    raise typer.Exit(run(load_config(), ROOT, models))


@runs_app.command("list")
def list_runs() -> None:
    """Show the training states that interrupted runs have left."""
    from mtl.cli.runs import show
    from mtl.config import load_config

    show(load_config(), ROOT)


@runs_app.command("clean")
def clean_runs(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN]…", help="As `mtl runs list` names them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also states that a run could go on from.")] = False,
) -> None:
    """Delete states that nothing can go on from; with RUN or --all also those that something can."""
    from mtl.cli.runs import clean
    from mtl.config import load_config

    gone = clean(load_config(), runs or [], everything, ROOT)
    for entry in gone:
        print(f"{entry.state.path}: deleted ({entry.status})")
    print(f"{len(gone)} state{'' if len(gone) == 1 else 's'} deleted.")


@preset_app.command("list")
def list_presets() -> None:
    """Name every preset; an asterisk marks the one that params.yaml is."""
    from mtl.setup import presets

    current = presets.matching(ROOT)
    known = presets.names(ROOT)
    width = max(map(len, known))
    for name in known:
        print(f"{'*' if name == current else ' '} {name:<{width}}  {presets.describe(name, ROOT)}")


@preset_app.command("show")
def show_preset(name: str) -> None:
    """Print the params.yaml of a preset."""
    from mtl.setup import presets

    print(presets.render(name, ROOT), end="")


@preset_app.command("use")
def use_preset(
    name: str,
    force: Annotated[bool, typer.Option("--force", help="Overwrite edits of params.yaml.")] = False,
) -> None:
    """Write a preset to params.yaml and show what changed."""
    from mtl.setup import presets

    change = presets.use(name, ROOT, force)
    if not change.diff:
        print(f"params.yaml is {name} already.")
        return
    print_diff(change.diff)
    print(f"params.yaml is {name} now; `mtl repro` runs it.")


def print_diff(diff: str) -> None:
    """In colour where there is a terminal."""
    from rich.console import Console
    from rich.syntax import Syntax

    console = Console()
    if console.is_terminal:
        console.print(Syntax(diff, "diff", background_color="default", word_wrap=True))
    else:
        print(diff)


def main() -> None:
    """Entry point: a user's mistake is one message and exit code 2."""
    with exit_on_user_error():
        app(prog_name="mtl")
