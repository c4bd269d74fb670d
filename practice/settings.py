"""Every setting of Waymark, read from the environment.

A name in capitals below is the name of its environment variable. A secret may instead be given as NAME_FILE, the path
of a file that holds it. With nothing set, Waymark runs on this machine alone: SQLite, an in-process job runner, mail
and text messages written to files.
"""

from pathlib import Path
from urllib.parse import urlsplit

import environ

env = environ.FileAwareEnv()
ROOT = Path(__file__).resolve().parent.parent

# --- Where things are kept -------------------------------------------------------------------------------------------
# DATA_DIR: database, written mail, audit anchors. KEYS_PATH: the key ring, kept apart from the data and out of backups.
DATA_DIR = Path(env("DATA_DIR", default=str(ROOT / "var" / "data")))
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
KEYS_PATH = Path(env("KEYS_PATH", default=str(ROOT / "var" / "keys" / "ring")))

# --- The front door --------------------------------------------------------------------------------------------------
# ORIGIN: the one address people use; every link in a message is made from it, never from the request.
ORIGIN = env("ORIGIN", default="http://127.0.0.1:8000").rstrip("/")
HTTPS = ORIGIN.startswith("https://")
LOOPBACK = urlsplit(ORIGIN).hostname in {"127.0.0.1", "localhost", "::1"}
ALLOWED_HOSTS = [urlsplit(ORIGIN).hostname or "127.0.0.1", *(["127.0.0.1", "localhost"] if LOOPBACK else [])]
CSRF_TRUSTED_ORIGINS = [ORIGIN]
DEBUG = False
# TRUSTED_PROXIES: how many proxies of ours stand in front and append to X-Forwarded-For.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# DEMO: sign-in links for the invented people of the demo practice, on a loopback ORIGIN only (check practice.E003).
DEMO = env.bool("DEMO", default=False)

from practice.keys import ring_from  # noqa: E402  (needs KEYS_PATH above)

# KEYS: the key ring itself (or KEYS_FILE), when it comes from a secret store instead of KEYS_PATH, ours to write.
KEY_RING = ring_from(env("KEYS", default=""), KEYS_PATH)
SECRET_KEY = KEY_RING.django_secret()

# --- Applications ----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "practice",
    "intake",
    "referrals",
    "practice.kap",
    "crispy_forms",
    "django.forms",  # its widget templates, for TemplatesSetting
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "practice.middleware.SecurityHeaders",
    "practice.middleware.Language",
    "practice.middleware.DatabaseTrouble",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "practice.middleware.SessionClock",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "practice.middleware.SecondFactor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
]
ROOT_URLCONF = "practice.urls"
WSGI_APPLICATION = "practice.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "practice.context.page",
            ],
            "builtins": ["practice.templatetags.ui", "practice.templatetags.forms"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
CRISPY_TEMPLATE_PACK = "house"
CRISPY_ALLOWED_TEMPLATE_PACKS = ["house"]
CRISPY_FAIL_SILENTLY = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Database --------------------------------------------------------------------------------------------------------
# DATABASE_URL: postgres://user:password@host/name turns the same code into the PostgreSQL deployment.
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'waymark.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE: writers queue instead of failing; FULL: the last commit survives a power cut (docs/adr/0004).
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;"
        "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=-20000;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", default=60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # A database that hangs frees the web worker within ten seconds.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        "options": "-c statement_timeout=8000 -c lock_timeout=6000 -c idle_in_transaction_session_timeout=30000",
        "tcp_user_timeout": 8000,
    }

# --- Sign-in ---------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "practice.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["practice.hashers.Argon2", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "practice.hashers.NotThePracticeName"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "practice.adapters.AccountAdapter"
MFA_ADAPTER = "practice.adapters.MFAAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # an admin invites; the invitation mail itself proves the address
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_FORMS = {
    "login": "practice.sign_in.SignInForm",
    "reset_password_from_key": "practice.sign_in.FirstPasswordForm",
    "change_password": "practice.sign_in.NewPasswordForm",
}
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "practice.adapters.ResetTokens"  # noqa: S105  a class, not a password
PASSWORD_RESET_TIMEOUT = 72 * 3600  # of an invitation; see ResetTokens
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,10/300s/key"}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Waymark"
MFA_TOTP_TOLERANCE = 1  # one step either way for a slow hand; a code is accepted once
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = LOOPBACK and not HTTPS
USERSESSIONS_TRACK_ACTIVITY = False

# --- Sessions and cookies --------------------------------------------------------------------------------------------
SESSION_IDLE_S = env.int("SESSION_IDLE_S", default=15 * 60)  # 45 CFR 164.312(a)(2)(iii); computed on the server
SESSION_ABSOLUTE_S = 12 * 3600
SESSION_COOKIE_AGE = SESSION_ABSOLUTE_S
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = SESSION_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "practice.views.trouble.csrf_failure"

# --- Browser rules ---------------------------------------------------------------------------------------------------
# Written under the name Django 6 uses, so that moving there deletes our middleware.
SECURE_CSP = {
    "default-src": ["'none'"],
    "style-src": ["'self'"],
    "script-src": ["'self'"],
    "img-src": ["'self'"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "manifest-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_SSL_REDIRECT = HTTPS and not TRUSTED_PROXIES
DATA_UPLOAD_MAX_MEMORY_SIZE = 512 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 400
DATA_UPLOAD_MAX_NUMBER_FILES = 1
FILE_UPLOAD_HANDLERS = ["practice.uploads.OneFile"]  # only where a view takes a letter, and never onto a disk
# LEAVE_URL: where "leave quickly" lands; a plain page that shows nothing of a person.
LEAVE_URL = env("LEAVE_URL", default="https://www.weather.gov/")

# --- Language, time --------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]  # of the client side; staff pages are in English
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_SECURE = HTTPS
LOCALE_PATHS = [ROOT / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"  # pages show the practice's own zone

# --- Static files ----------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(env("STATIC_ROOT", default=str(ROOT / "var" / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# HELP_PAGE: a file that always holds the current help page, for a proxy to show when this process is down.
HELP_PAGE = env("HELP_PAGE", default="")

# --- Mail, text messages ---------------------------------------------------------------------------------------------
# EMAIL_URL: smtp+tls://user:password@host:587. Without it mail is written to DATA_DIR/mail, one file each.
if env("EMAIL_URL", default=""):
    vars().update(env.email("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(DATA_DIR / "mail")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("MAIL_FROM", default="practice@localhost")
# SMS_GATEWAY: dotted path of a gateway class (practice.sms). SMS_URL: where the HTTP gateway posts, token in SMS_TOKEN.
SMS_GATEWAY = env("SMS_GATEWAY", default="practice.sms.FileGateway")
SMS_URL = env("SMS_URL", default="")
SMS_TOKEN = env("SMS_TOKEN", default="")
# SMS_IN_SECRET: the key with which the service signs the texts it hands over at /texts/in/; without it none are taken.
SMS_IN_SECRET = env("SMS_IN_SECRET", default="")

# --- Backups ---------------------------------------------------------------------------------------------------------
# BACKUP_RECIPIENTS: public keys of age (age1...), with commas; the identities that open a backup stay off this machine.
# BACKUP_TO: a folder, best of another machine; with it a backup is made every day, kept for BACKUP_KEEP_DAYS.
BACKUP_RECIPIENTS = [each.strip() for each in env.list("BACKUP_RECIPIENTS", default=[]) if each.strip()]
BACKUP_TO = env("BACKUP_TO", default="")
BACKUP_KEEP_DAYS = env.int("BACKUP_KEEP_DAYS", default=35)

# --- Jobs ------------------------------------------------------------------------------------------------------------
# CELERY_BROKER_URL: redis://:password@host/0. Without it the web process runs the jobs itself.
CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="")
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
}

# --- Cache: sign-in limits and used codes, shared by every process ---------------------------------------------------
# A full cache throws the oldest out, counts of wrong codes among them: it is larger than anybody fills in five minutes.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "practice_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# --- Logs: one line each, no clinical words (practice.logs keeps an allow-list of fields) -----------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"quiet": {"()": "practice.logs.NothingOfAClient"}},
    "formatters": {"line": {"()": "practice.logs.OneLine"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["quiet"]}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {"django.server": {"handlers": ["console"], "propagate": False}},
}
# W161 takes a default time of day, such as 9 pm, for the moment at which it was written, when it is about 9 pm.
SILENCED_SYSTEM_CHECKS = ["fields.W161"]
