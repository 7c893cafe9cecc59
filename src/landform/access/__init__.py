"""Who may do what: teams, memberships, grants, and the one question `require()`."""
