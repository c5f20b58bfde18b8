package restquery

import "strings"

// Outside says whether query jobs are known not to know an object. It is for forecasts: which objects those are is not documented and may
// change, so a Pager asks the org. The list is that of Airbyte's connector.
func Outside(object string) bool { return outside[strings.ToLower(object)] }

var outside = map[string]bool{}

func init() {
	for name := range strings.FieldsSeq(`AcceptedEventRelation AssetTokenEvent AttachedContentNote Attachment CaseStatus ContractStatus DeclinedEventRelation
		EventWhoRelation FieldSecurityClassification OrderStatus PartnerRole QuoteTemplateRichTextData RecentlyViewed ServiceAppointmentStatus
		SolutionStatus TaskPriority TaskStatus TaskWhoRelation UndecidedEventRelation`) {
		outside[strings.ToLower(name)] = true
	}
}
