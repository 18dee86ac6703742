"""What a tenant that people make by themselves may be called. Its operator is free to make others."""

from domain.kernel import Invalid

SHORTEST = 3

RESERVED = frozenset(
    {
        *("about", "abuse", "account", "accounts", "admin", "administrator", "api", "app", "apps", "assets", "auth"),
        *("billing", "blog", "cdn", "clientforge", "contact", "dashboard", "default", "demo", "dev", "developer"),
        *("dns", "docs", "email", "files", "ftp", "git", "health", "help", "hostmaster", "imap", "info", "internal"),
        *("legal", "live", "localhost", "login", "logout", "mail", "main", "metrics", "monitor", "mta-sts", "news"),
        *("noreply", "oauth", "ops", "platform", "pop", "postmaster", "privacy", "prod", "production", "public"),
        *("register", "root", "sales", "sandbox", "secure", "security", "signin", "signup", "smtp", "sso", "staging"),
        *("static", "status", "support", "system", "team", "test", "webmail", "webmaster", "wpad", "www"),
    }
)
"""Names by which a stranger could pass for the platform, its mail, or one of its services."""


def check_signed_up(subdomain: str) -> None:
    """Refuses a name that nobody gets by signing up: reserved, too short, or of other letters than it shows.

    Raises Invalid.
    """
    if len(subdomain) < SHORTEST:
        raise Invalid(f"Take {SHORTEST} letters or digits at least.", field="/subdomain")
    if subdomain in RESERVED or subdomain.startswith("xn--"):
        raise Invalid("This name is reserved: choose another one.", field="/subdomain")
