INSERT INTO ${db}.t (v,n) VALUES ('b',2);
CREATE TABLE ${db}.t2 (v varchar(9), n int);
INSERT INTO ${db}.t2 (v,n) VALUES ('c',3);
SET GLOBAL show_gipk_in_create_table_and_information_schema=1;
