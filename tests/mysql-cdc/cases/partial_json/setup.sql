CREATE TABLE ${db}.t (id int primary key, v json, n int);
INSERT INTO ${db}.t VALUES (1,'{"a":1,"b":[1,2,3]}',1);
