SET SESSION sql_generate_invisible_primary_key=1;
CREATE TABLE ${db}.t (v varchar(9), n int);
INSERT INTO ${db}.t (v,n) VALUES ('a',1);
SET GLOBAL show_gipk_in_create_table_and_information_schema=0;
