-- Run by PostgreSQL's image when the cluster is made: accounts have a database of their own beside that of the runs.
create database auth;
