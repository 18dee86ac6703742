-- Run once by the container, when its volume is empty. docs/commandline.md says what each role is for.
\set ON_ERROR_STOP on
\set owner_password `cat /run/secrets/postgres_owner_password`
\set app_password `cat /run/secrets/postgres_app_password`
\set monitor_password `cat /run/secrets/postgres_monitor_password`
\set exporter_password `cat /run/secrets/postgres_exporter_password`
CREATE ROLE clientforge_owner LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE clientforge_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD :'app_password';
CREATE ROLE clientforge_monitor LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD :'monitor_password';
CREATE ROLE postgres_exporter LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD :'exporter_password' IN ROLE pg_monitor;
CREATE DATABASE clientforge OWNER clientforge_owner ENCODING 'UTF8';
REVOKE CONNECT ON DATABASE clientforge FROM PUBLIC;
GRANT CONNECT ON DATABASE clientforge TO clientforge_app, clientforge_monitor, postgres_exporter;
\connect clientforge
CREATE EXTENSION pg_stat_statements;
