"""``nb2prod schedule``: what makes runs by time, by changed data, or by both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from nb2prod.cli.context import opened, project_here
from nb2prod.cli.output import JSON_OPTION, console, print_json, print_table
from nb2prod.cli.run import read_pairs
from nb2prod.errors import InvalidInput, ScheduleInvalid
from nb2prod.jobs.cron import read_cron
from nb2prod.jobs.schedules import (
    Missed,
    NewSchedule,
    Schedule,
    create_schedule,
    delete_schedule,
    get_schedule,
    list_schedules,
    pause_schedule,
    resume_schedule,
)
from nb2prod.registry.models import Reference
from nb2prod.workspace.workspace import Workspace

app = typer.Typer(
    no_args_is_help=True,
    help="Runs by time, by changed data, or by both; on the workspace's own machine.",
)

ProjectOption = Annotated[
    str | None, typer.Option(help="The project; by default that of the current folder.")
]
ScheduleArgument = Annotated[
    str, typer.Argument(metavar="SCHEDULE", help="Its id, as `nb2prod schedule list` shows it.")
]
CronOption = Annotated[
    str | None,
    typer.Option(
        help="When: minute, hour, day of the month, month, day of the week, as in '30 6 * * 1-5';"
        " or @hourly, @daily, @weekly, @monthly, @yearly."
    ),
]
ZoneOption = Annotated[
    str, typer.Option(help="The time zone of --cron by its IANA name, as in Europe/Berlin.")
]


@app.command("list")
def list_(project: ProjectOption = None, as_json: bool = JSON_OPTION) -> None:
    """List a project's schedules with their next times."""
    now = datetime.now(UTC)
    with opened() as workspace:
        name = _name(workspace, project)
        found = list_schedules(workspace, name, person=workspace.settings.person)
    if as_json:
        print_json([{"schedule": item, "next_times": _next_times(item, now)} for item in found])
        return
    print_table(
        ("Schedule", "Runs", "When", "Next", "Last time"),
        [_row(schedule, now) for schedule in found],
        empty=f"{name} has no schedule; `nb2prod schedule add` makes one.",
        whole=("Schedule",),
    )


@app.command()
def add(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="VERSION", help="As in `train@v3`; `train` is the newest at each time."
        ),
    ],
    *,
    cron: CronOption = None,
    time_zone: ZoneOption = "UTC",
    on_changed_data: Annotated[
        bool,
        typer.Option(
            "--on-changed-data",
            help="Make a run only if the inputs that the version declares have changed since the"
            " last one; without --cron that alone decides.",
        ),
    ] = False,
    watch: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="A file or folder of the project to watch in place of those; may be repeated.",
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a parameter."),
    ] = None,
    missed: Annotated[
        Missed,
        typer.Option(
            help="What is done about times when no dispatcher worked: nothing, one run for all of"
            " them, or one for each (100 at most)."
        ),
    ] = Missed.ONCE,
    project: ProjectOption = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Make a schedule. Its runs are yours, and are made while `nb2prod up` works."""
    wanted = Reference.parse(reference)
    asked = NewSchedule(
        pipeline=wanted.pipeline,
        version=wanted.number,
        parameters=read_pairs(parameter or []),
        cron=cron,
        time_zone=time_zone,
        on_changed_data=on_changed_data or bool(watch),
        inputs=tuple(watch or ()),
        missed=missed,
    )
    with opened() as workspace:
        made = create_schedule(
            workspace, _name(workspace, project), asked, person=workspace.settings.person
        )
    _say(made, "made", as_json=as_json)


@app.command()
def pause(
    schedule: ScheduleArgument, project: ProjectOption = None, as_json: bool = JSON_OPTION
) -> None:
    """Let a schedule make no runs until it is resumed."""
    with opened() as workspace:
        name, person = _name(workspace, project), workspace.settings.person
        paused = pause_schedule(workspace, name, schedule, person=person)
    _say(paused, "paused", as_json=as_json)


@app.command()
def resume(
    schedule: ScheduleArgument, project: ProjectOption = None, as_json: bool = JSON_OPTION
) -> None:
    """Let a paused schedule make runs again, from now on."""
    with opened() as workspace:
        name, person = _name(workspace, project), workspace.settings.person
        resumed = resume_schedule(workspace, name, schedule, person=person)
    _say(resumed, "resumed", as_json=as_json)


@app.command()
def remove(
    schedule: ScheduleArgument, project: ProjectOption = None, as_json: bool = JSON_OPTION
) -> None:
    """Remove a schedule; its runs stay."""
    with opened() as workspace:
        name, person = _name(workspace, project), workspace.settings.person
        delete_schedule(workspace, name, schedule, person=person)
    if as_json:
        print_json({"schedule": schedule, "project": name})
    else:
        console.print(f"Removed the schedule {escape(schedule)} of [green]{name}[/].")


@app.command("next")
def next_(
    schedule: Annotated[
        str | None, typer.Argument(metavar="[SCHEDULE]", help="Its id; or try a time with --cron.")
    ] = None,
    cron: CronOption = None,
    time_zone: ZoneOption = "UTC",
    project: ProjectOption = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Say the next five times of a schedule, or of a time that you try."""
    if (schedule is None) == (cron is None):
        raise InvalidInput("Say which times: give a schedule's id, or --cron.")
    now = datetime.now(UTC)
    if cron is not None:
        tried = read_cron(cron, time_zone)
        words, times = tried.words, tried.upcoming(now)
    else:
        with opened() as workspace:
            name, person = _name(workspace, project), workspace.settings.person
            found = get_schedule(workspace, name, str(schedule), person=person)
        words, times = _words(found), _next_times(found, now)
    if as_json:
        print_json({"words": words, "next_times": times})
        return
    console.print(escape(words))
    for time in times:
        console.print(f"  {_instant(time)}")


def _say(schedule: Schedule, what: str, *, as_json: bool) -> None:
    times = _next_times(schedule, datetime.now(UTC))
    if as_json:
        print_json({"schedule": schedule, "next_times": times})
        return
    console.print(
        f"[green]{schedule.id}[/] is {what}: {schedule.reference}, {escape(_words(schedule))}"
    )
    if times:
        console.print(f"[dim]Next: {_instant(times[0])}[/]")


def _row(schedule: Schedule, now: datetime) -> tuple[str, ...]:
    times = _next_times(schedule, now)
    following = "paused" if schedule.is_paused else _instant(times[0]) if times else ""
    return (
        schedule.id,
        str(schedule.reference),
        escape(_words(schedule)),
        following,
        escape(schedule.last_error),
    )


def _words(schedule: Schedule) -> str:
    try:
        timing = schedule.timing
    except ScheduleInvalid as error:
        return error.message
    time = "" if timing is None else f"{timing.words} ({timing.zone.key})"
    if not schedule.inputs:
        return time
    data = f"a change in {', '.join(schedule.inputs)}"
    return f"{time}, if there is {data}" if time else f"When there is {data}"


def _next_times(schedule: Schedule, now: datetime) -> tuple[datetime, ...]:
    try:
        return schedule.upcoming(now)
    except ScheduleInvalid:
        return ()


def _instant(time: datetime) -> str:
    return f"{time:%a %Y-%m-%d %H:%M %Z}"


def _name(workspace: Workspace, project: str | None) -> str:
    return project or project_here(workspace).name
