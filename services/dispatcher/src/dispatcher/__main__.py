"""Runs the dispatcher."""

from chassis.settings import load
from dispatcher.app import create
from dispatcher.settings import Settings

if __name__ == "__main__":
    create(load(Settings)).run()
