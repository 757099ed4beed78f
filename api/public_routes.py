"""Every address that answers without an account. A new one is a decision, and stands here."""

PUBLIC_ROUTES: frozenset[tuple[str, str]] = frozenset(
    {
        ("GET", "/api/v1/health"),  # says less to strangers
        ("GET", "/api/v1/health/live"),
        ("GET", "/api/v1/health/ready"),
        ("GET", "/api/v1/metrics"),  # asks for a token itself, unless the scraper is on this machine
        ("GET", "/api/v1/openapi.json"),
        ("POST", "/api/v1/devices/claim"),  # its code is the credential; throttled by address and serial
        ("GET", "/docs"),
        ("GET", "/docs/reference.css"),
        ("GET", "/sign-in"),
        ("POST", "/sign-in"),
        ("GET", "/sign-in/code"),  # the cookie of a right password is the credential; throttled by account and address
        ("POST", "/sign-in/code"),
        ("GET", "/sign-in/provider"),
        ("GET", "/sign-in/provider/return"),  # state, browser's cookie and the provider's code are the credential
        ("POST", "/sign-out"),
        ("POST", "/preferences"),  # cookies of this browser alone: language, zone, theme, keys
        ("GET", "/my-worker.js"),  # a script and addresses of static files; nothing of anybody
        ("MOUNT", "/static"),
        ("GET", "/favicon.ico"),
    }
)
