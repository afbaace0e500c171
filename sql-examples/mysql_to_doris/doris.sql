-- The tables in Doris for pipeline.sql. One copy of the data: take "replication_num" = "3" where there are three BE.
CREATE DATABASE IF NOT EXISTS ro_sea_player_user_center;

CREATE TABLE IF NOT EXISTS ro_sea_player_user_center.ods_login_log (
  `date` DATE NOT NULL,
  `login_log_id` BIGINT NOT NULL,
  `account_id` BIGINT NULL,
  `long_account_id` VARCHAR(256) NULL,
  `short_account_id` VARCHAR(128) NULL,
  `game_code` VARCHAR(128) NULL,
  `package_code` VARCHAR(256) NULL,
  `channel_id` INT NULL,
  `login_at` VARCHAR(64) NULL,
  `login_ip` VARCHAR(256) NULL,
  `device_ua` STRING NULL,
  `device_id` VARCHAR(256) NULL,
  `device_net` VARCHAR(64) NULL,
  `device_ratio` VARCHAR(64) NULL,
  `device_os` VARCHAR(256) NULL,
  `device_carrier` VARCHAR(256) NULL,
  `ext` STRING NULL,
  `created_at` VARCHAR(64) NULL,
  `updated_at` VARCHAR(64) NULL,
  `deleted_at` VARCHAR(64) NULL
)
ENGINE = OLAP
UNIQUE KEY(`date`, `login_log_id`)
COMMENT 'Logins of all shards'
DISTRIBUTED BY HASH(`login_log_id`) BUCKETS AUTO
PROPERTIES (
  "replication_num" = "1",
  "enable_unique_key_merge_on_write" = "true"
);

CREATE TABLE IF NOT EXISTS ro_sea_player_user_center.ods_account_log (
  `date` DATE NOT NULL,
  `account_id` BIGINT NOT NULL,
  `open_id` VARCHAR(512) NULL,
  `dy_openid` VARCHAR(512) NULL,
  `dy_ios_openid` VARCHAR(512) NULL,
  `ext` STRING NULL,
  `last_channel` INT NULL,
  `last_login_time` VARCHAR(64) NULL,
  `last_login_ip` VARCHAR(256) NULL,
  `created_at` VARCHAR(64) NULL,
  `updated_at` VARCHAR(64) NULL,
  `deleted_at` VARCHAR(64) NULL
)
ENGINE = OLAP
UNIQUE KEY(`date`, `account_id`)
COMMENT 'Accounts of all shards'
DISTRIBUTED BY HASH(`account_id`) BUCKETS AUTO
PROPERTIES (
  "replication_num" = "1",
  "enable_unique_key_merge_on_write" = "true"
);
