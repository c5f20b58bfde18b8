package salesforce

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// UserID is the Id of the user that is logged in, 18 characters, such as createdById of the jobs that it makes.
func (c *Client) UserID(ctx context.Context) (string, error) {
	var about struct {
		Identity string `json:"identity"` // https://login.salesforce.com/id/00D…/005…
	}
	if err := c.JSON(ctx, http.MethodGet, "/", Repeat, nil, &about); err != nil {
		return "", fmt.Errorf("find out who is logged in: %w", err)
	}
	id := about.Identity[strings.LastIndexByte(about.Identity, '/')+1:]
	if !strings.HasPrefix(id, "005") {
		return "", fmt.Errorf("find out who is logged in: the org names %q instead of a user", about.Identity)
	}
	return id, nil
}
