CREATE TABLE ${db}.t (id int primary key, a varchar(9), b varchar(9));
INSERT INTO ${db}.t VALUES (1,'a1','b1');
