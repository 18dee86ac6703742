"""`python -m api.commandline` is `clientforge`."""

from api.commandline import main

main()
