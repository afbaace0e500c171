CREATE TABLE ${db}.t (id int primary key, v text, n int, w varchar(20), UNIQUE(v));
INSERT INTO ${db}.t VALUES (1,'x',10,'p');
