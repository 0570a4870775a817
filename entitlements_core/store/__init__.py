"""SQLModel tables, migrations and queries; rows become policy values at this border."""
