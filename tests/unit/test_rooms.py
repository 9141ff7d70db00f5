from runner.cli import ROOMS, app, load


def test_every_command_has_its_room():
    load(())
    commands = {
        c.name or (c.callback.__name__ if c.callback else "") for c in app.registered_commands
    }
    groups = {group.name for group in app.registered_groups}
    assert commands | groups == ROOMS.keys()
