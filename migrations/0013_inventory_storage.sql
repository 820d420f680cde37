-- Only documents leave the row. With a row as small as `toast_tuple_target` asks for, PostgreSQL also moves hashes and names of
-- thirty bytes out of line, and a compare of many rows then fetches each of them separately. MAIN keeps them in the row.
ALTER TABLE inventory.item
    ALTER COLUMN policy_type SET STORAGE MAIN,
    ALTER COLUMN external_id SET STORAGE MAIN,
    ALTER COLUMN subject_key SET STORAGE MAIN,
    ALTER COLUMN subject_name SET STORAGE MAIN,
    ALTER COLUMN display_name SET STORAGE MAIN,
    ALTER COLUMN odata_type SET STORAGE MAIN,
    ALTER COLUMN platform SET STORAGE MAIN,
    ALTER COLUMN content_hash SET STORAGE MAIN,
    ALTER COLUMN normal_hash SET STORAGE MAIN,
    ALTER COLUMN assignments_hash SET STORAGE MAIN,
    ALTER COLUMN evidence SET STORAGE MAIN;
