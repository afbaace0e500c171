CREATE TABLE ${db}._t_gho LIKE ${db}.t;
ALTER TABLE ${db}._t_gho ADD COLUMN extra int NOT NULL DEFAULT 7 AFTER id;
INSERT INTO ${db}._t_gho (id,v,n) SELECT id,v,n FROM ${db}.t;
INSERT INTO ${db}.t VALUES (2,'b',2);
INSERT INTO ${db}._t_gho (id,v,n) VALUES (2,'b',2);
RENAME TABLE ${db}.t TO ${db}._t_del, ${db}._t_gho TO ${db}.t;
INSERT INTO ${db}.t (id,v,n) VALUES (3,'c',3);
UPDATE ${db}.t SET v='x' WHERE id=1;
DROP TABLE ${db}._t_del;
