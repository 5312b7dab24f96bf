"""Bitstreams: a build is a plan of files, tools and steps; one file a toolchain."""
