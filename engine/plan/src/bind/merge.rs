//! The one type that several types have in common, by the rules of `millrace_functions::operator::coercion`.

use millrace_connector::FlinkType;
use millrace_functions::operator::coercion;

/// Returns the type of CASE, IF, UNION and VALUES over `types`; see [`coercion::least_restrictive`].
pub(crate) fn least_restrictive<'a>(
    types: impl IntoIterator<Item = &'a FlinkType>,
) -> Option<FlinkType> {
    coercion::least_restrictive(&owned(types))
}

/// Returns the common type of the arguments of COALESCE and IFNULL; see [`coercion::common_type`].
pub(crate) fn common_type<'a>(types: impl IntoIterator<Item = &'a FlinkType>) -> Option<FlinkType> {
    coercion::common_type(&owned(types))
}

fn owned<'a>(types: impl IntoIterator<Item = &'a FlinkType>) -> Vec<FlinkType> {
    types.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use millrace_connector::TypeKind;

    use super::*;

    #[test]
    fn merges_as_flink_does() {
        let int = TypeKind::Int.not_null();
        let decimal = TypeKind::Decimal(2, 1).not_null();
        assert_eq!(
            common_type([&int, &decimal]),
            Some(TypeKind::Decimal(11, 1).not_null())
        );
        let texts = [TypeKind::Char(3).not_null(), TypeKind::Char(2).not_null()];
        assert_eq!(common_type(&texts), Some(TypeKind::Varchar(3).not_null()));
        assert_eq!(common_type([&int, &texts[0]]), None);
        let wide = TypeKind::Decimal(38, 37).nullable();
        let narrow = TypeKind::Decimal(12, 2).nullable();
        assert_eq!(
            common_type([&narrow, &wide]),
            Some(TypeKind::Decimal(38, 28).nullable())
        );
        let (float, double) = (TypeKind::Float.nullable(), TypeKind::Double.nullable());
        assert_eq!(least_restrictive([&float, &double]), Some(float.clone()));
        assert_eq!(common_type([&float, &double]), Some(double));
        let (date, timestamp) = (TypeKind::Date.nullable(), TypeKind::Timestamp(3).nullable());
        assert_eq!(common_type([&date, &timestamp]), Some(date.clone()));
        assert_eq!(least_restrictive([&date, &timestamp]), None);
        assert_eq!(
            common_type([&TypeKind::Null.nullable(), &int]),
            Some(TypeKind::Int.nullable())
        );
    }
}
