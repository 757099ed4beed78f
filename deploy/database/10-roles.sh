#!/bin/sh
# Runs once, when the database's volume is empty: the roles of Forewarn and its database. Passwords come from the
# environment, and reach psql as variables, never as SQL text.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    -v owner_password="$FOREWARN_DB_OWNER_PASSWORD" -v app_password="$FOREWARN_DB_PASSWORD" <<'SQL'
CREATE ROLE forewarn_app NOLOGIN;
CREATE ROLE forewarn_owner LOGIN CREATEROLE PASSWORD :'owner_password';
CREATE ROLE forewarn LOGIN PASSWORD :'app_password' IN ROLE forewarn_app;
GRANT forewarn_app TO forewarn_owner WITH ADMIN OPTION, INHERIT FALSE;
CREATE DATABASE forewarn OWNER forewarn_owner;
REVOKE ALL ON DATABASE forewarn FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE forewarn TO forewarn_app;
SQL
