"""Who may use a route: what a policy answers, and the ready-made ones: bearer tokens, passwords, keys.

Imports neither stages nor servers. What a policy needs beyond hostler is imported when it is made.
"""

from hostler.authorization.decision import AuthorizationPolicy, Denied, Granted

__all__ = ["AuthorizationPolicy", "Denied", "Granted"]
