"""The view `audio`: the sound track."""
