-- Answers of repeated requests are forgotten by age; without this the hourly clean-up would read them all.
CREATE INDEX request_oldest ON access.request (created_at);
