"""The whole way in one command: import, curate, train, evaluate, publish."""
