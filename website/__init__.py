"""The documentation as a site: what mkdocs.yml cannot say. Needed to build it, not to use what it documents."""
