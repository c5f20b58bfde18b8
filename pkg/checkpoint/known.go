package checkpoint

import (
	"context"
	"fmt"
)

// SalesforceIDs are the ids of all ingest jobs that the run has ever made and recorded, in whatever state they are.
func (s *Store) SalesforceIDs(ctx context.Context) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, `select salesforce_id from bulk_job where salesforce_id <> '' order by id`)
	if err != nil {
		return nil, fmt.Errorf("read the ingest jobs of a run: %w", err)
	}
	ids, err := collect(rows, func(id *string) []any { return []any{id} })
	if err != nil {
		return nil, fmt.Errorf("read the ingest jobs of a run: %w", err)
	}
	return ids, nil
}
